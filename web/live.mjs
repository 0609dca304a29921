// What is on its way in this server: the newest list, and an event "change" for each newer one.
import { api } from "../../scripts/api.js";
import { ask } from "./client.mjs";

class LiveJobs extends EventTarget {
  jobs = [];
  changes = 0;

  set(jobs) {
    this.jobs = jobs;
    this.changes++;
    this.dispatchEvent(new Event("change"));
  }

  // The one at work on this shot: what is done stays in the list as long as the others of its node.
  of(fingerprint) {
    return this.jobs.find((job) => job.fingerprint === fingerprint && job.phase !== "done");
  }
}

export function followLiveJobs() {
  const live = new LiveJobs();
  // Listened to for as long as the page lives: the editor complains of messages nobody wants.
  api.addEventListener("vidu.jobs", (event) => live.set(event.detail.jobs));
  // What was said while the page was closed or the lid was.
  const renew = () => {
    const { changes } = live;
    // An answer that a message has overtaken is older than it.
    ask("jobs").then(({ jobs }) => live.changes === changes && live.set(jobs), () => {});
  };
  api.addEventListener("reconnected", renew);
  renew();
  return live;
}
