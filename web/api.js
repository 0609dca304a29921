// The pack's own routes, and the shots that run in this server right now.
import { api } from "../../scripts/api.js";

// Each route answers JSON; a refusal becomes an Error with its text.
export async function request(path, { method = "GET", body, signal } = {}) {
  const options = { method, signal, headers: {} };
  if (method === "POST") {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body ?? {});
  }
  const response = await api.fetchApi(`/vidu/${path}`, options);
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  throw new Error(errorIn(text) || `${response.status} ${response.statusText}`);
}

export const urlOf = (path) => api.apiURL(`/vidu/${path}`);

function errorIn(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return text;
  }
}

// The newest list of shots, and an event "change" for each newer one. The socket says only that
// something changed: it is open to pages of other sites, the route is not.
class Jobs extends EventTarget {
  list = [];
  #asking = false;
  #again = false;

  async refresh() {
    if (this.#asking) {
      this.#again = true;
      return;
    }
    this.#asking = true;
    try {
      this.list = (await request("jobs")).jobs;
      this.dispatchEvent(new Event("change"));
    } catch {
      // The server is away; the editor says so itself, and "reconnected" asks again.
    }
    this.#asking = false;
    if (!this.#again) return;
    this.#again = false;
    this.refresh();
  }
}

export function followJobs() {
  const jobs = new Jobs();
  api.addEventListener("vidu.jobs", () => jobs.refresh());
  api.addEventListener("reconnected", () => jobs.refresh());
  jobs.refresh();
  return jobs;
}

export const onReconnect = (listener, signal) => api.addEventListener("reconnected", listener, { signal });
