// Vidu on fal in the editor: settings, the library in the sidebar, money and lines on the nodes.
import { app } from "../../scripts/app.js";
import { followJobs } from "./api.js";
import { CLIP_TYPE, putOnCanvas } from "./actions.js";
import { lacksPicture, onCanvasDrop, onLocaleChange, uploadPicture } from "./host.js";
import { openLibrary } from "./library.js";
import { followRuns, followTexts, restoreOutputs, setUpNode, translateNotes } from "./node.js";
import { settings } from "./settings.js";

const EXAMPLE = "lighthouse.png";

app.registerExtension({
  name: "viduonfal.editor",
  settings,
  async setup() {
    const jobs = followJobs();
    let close = () => {};
    let reopen = () => {};
    app.extensionManager.registerSidebarTab({
      id: "viduonfal.library",
      icon: "pi pi-video",
      title: "Vidu",
      tooltip: "vidu.tooltip",
      type: "custom",
      render(element) {
        reopen = () => {
          close();
          close = openLibrary(element, jobs);
        };
        reopen();
      },
      destroy() {
        close();
        reopen = () => {};
      },
    });
    followRuns();
    onCanvasDrop(CLIP_TYPE, (clip, place) => putOnCanvas(JSON.parse(clip), place));
    onLocaleChange(async () => {
      await followTexts();
      reopen();
    });
    await followTexts();
  },
  nodeCreated: setUpNode,
  // The templates name a picture that a ComfyUI need not have: it ships with them.
  async beforeConfigureGraph(graph) {
    translateNotes(graph);
    if (lacksPicture(graph, EXAMPLE)) await uploadPicture(EXAMPLE, new URL(EXAMPLE, import.meta.url));
  },
  afterConfigureGraph: restoreOutputs,
  onNodeOutputsUpdated: restoreOutputs,
});
