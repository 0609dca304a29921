// The pack's own routes. Each answers JSON; a refusal becomes an Error with its words.
import { api } from "../../scripts/api.js";

export async function ask(path, { method = "GET", body, signal } = {}) {
  const options = { method, signal };
  if (method === "POST") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body ?? {});
  }
  const response = await api.fetchApi(`/vidu/${path}`, options);
  const answer = await response.text();
  if (response.ok) return JSON.parse(answer);
  throw new Error(wordsOf(answer) || `${response.status} ${response.statusText}`);
}

export const addressOf = (path) => api.apiURL(`/vidu/${path}`);

function wordsOf(answer) {
  try {
    return JSON.parse(answer).error;
  } catch {
    return answer;
  }
}
