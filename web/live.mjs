// What is on its way in this server: the newest list, and an event "change" for each newer one.
import { api } from "../../scripts/api.js";

class LiveJobs extends EventTarget {
  jobs = [];

  set(jobs) {
    this.jobs = jobs;
    this.dispatchEvent(new Event("change"));
  }

  of(fingerprint) {
    return this.jobs.find((job) => job.fingerprint === fingerprint);
  }
}

export function followLiveJobs() {
  const live = new LiveJobs();
  // Listened to for as long as the page lives: the editor complains of messages nobody wants.
  api.addEventListener("vidu.live", (event) => live.set(event.detail.jobs));
  return live;
}
