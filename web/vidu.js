// Vidu on fal in the editor: settings, the library in the sidebar, the price on the node.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { followLiveJobs } from "./live.mjs";
import { openLibrary } from "./library/library.mjs";
import { fillInPrefix } from "./prefix.mjs";
import { showPrice, tellOfWhatDidNotRun } from "./price.mjs";
import { settings } from "./settings.mjs";

app.registerExtension({
  name: "viduonfal.editor",
  settings,
  setup() {
    tellOfWhatDidNotRun();
    api.addEventListener("vidu.warning", ({ detail }) => warn(detail.text));
    const live = followLiveJobs();
    let close = () => {};
    app.extensionManager.registerSidebarTab({
      id: "viduonfal.library",
      icon: "pi pi-video",
      title: "Vidu",
      tooltip: "vidu.tooltip",
      type: "custom",
      render(element) {
        close();
        close = openLibrary(element, live);
      },
      destroy: () => close(),
    });
  },
  nodeCreated(node) {
    showPrice(node);
    fillInPrefix(node);
  },
});

const warn = (detail) =>
  app.extensionManager.toast.add({ severity: "warn", summary: "Vidu", detail, life: 30_000 });
