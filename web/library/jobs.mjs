// What is on its way right now: what it does, how far it is, for how many seconds.
import { make } from "../elements.mjs";

export function liveSection(live, t, signal, changed) {
  const list = make("ul", { class: "vidu-jobs", "aria-label": t("onItsWay") });
  const told = make("p", { class: "vidu-hidden", role: "status" });
  let before = "";
  let phases = new Set();

  const draw = () => {
    list.replaceChildren(...live.jobs.map((job) => jobRow(job, t)));
    // Read aloud when a phase changes, not each second.
    const news = live.jobs.filter((job) => !phases.has(job.fingerprint + job.phase));
    if (news.length) told.textContent = news.map((job) => `${job.prompt.slice(0, 40)}: ${job.text}`).join(", ");
    phases = new Set(live.jobs.map((job) => job.fingerprint + job.phase));
    const ids = live.jobs.map((job) => job.fingerprint + (job.phase === "done")).join();
    if (ids !== before) changed();
    before = ids;
  };

  live.addEventListener("change", draw, { signal });
  before = live.jobs.map((job) => job.fingerprint + (job.phase === "done")).join();
  draw();
  return make("div", {}, list, told);
}

function jobRow(job, t) {
  const percent = Math.round(100 * job.fraction);
  // The others of its node may go on, and their time with them.
  const seconds = job.phase === "done" ? "" : t("seconds", { count: job.elapsed_s });
  return make(
    "li",
    { class: "vidu-job" },
    make("span", { class: "vidu-prompt", title: job.prompt }, job.prompt),
    make("span", { class: "vidu-doing" }, job.text),
    make("span", { class: "vidu-seconds" }, seconds),
    make("progress", { max: 100, value: percent, "aria-label": job.prompt.slice(0, 80) }),
  );
}
