// Vidu on fal in the editor: settings, the library in the sidebar, the price on the node.
import { app } from "../../scripts/app.js";
import { showPrice } from "./price.mjs";
import { followLiveJobs } from "./live.mjs";
import { openLibrary } from "./library/library.mjs";
import { settings } from "./settings.mjs";

app.registerExtension({
  name: "viduonfal.editor",
  settings,
  setup() {
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
  nodeCreated: showPrice,
});
