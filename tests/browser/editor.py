"""ComfyUI's editor as a user uses it."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import ConsoleMessage, Locator, Page, Request

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
EXAMPLE = ROOT / "example_workflows" / "3. Vidu Image to Video.json"

READY = """() => window.app?.vueAppReady && window.app.graph && window.app.extensionManager"""
ENDS = ("execution_success", "execution_error", "execution_interrupted")
LIBRARY = "Workspace.ToggleSidebarTab.viduonfal.library"
LISTEN = """(kinds) => {
    window.ended = new Promise((done) => {
        for (const kind of kinds)
            app.api.addEventListener(kind, (event) => done([kind, event.detail]), { once: true });
    });
}"""


class Editor:
    """One page with the editor in it.

    Attributes:
        complaints: What the console called an error, as (words, address) pairs.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[tuple[str, str]] = []
        self._unanswered: set[Request] = set()
        page.on("request", self._note_request)
        for end in ("requestfinished", "requestfailed"):
            page.on(end, lambda request: self._unanswered.discard(request))
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append((str(error), "")))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            address = message.location["url"].removeprefix(self.url)
            self.complaints.append((message.text.replace(self.url, ""), address))

    def _note_request(self, request: Request) -> None:
        if request.url.startswith(f"{self.url}/vidu/"):
            self._unanswered.add(request)

    def settle(self) -> None:
        """Wait until the pack's questions to the server are answered.

        A late answer could be about the next test's key or ledger, and open a dialog over it.
        """
        self.page.wait_for_timeout(50)
        for _ in range(200):
            if not self._unanswered:
                return
            self.page.wait_for_timeout(50)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.url}/{query}", wait_until="domcontentloaded")
        self.page.wait_for_function(READY, timeout=60_000)
        self.set("Comfy.TutorialCompleted", True)

    def tidy(self, *, nodes_2: bool) -> None:
        """No dialog, no notice, no sidebar tab, nothing on the canvas."""
        self.page.keyboard.press("Escape")
        self.page.get_by_role("dialog").wait_for(state="detached")
        self.page.evaluate("() => app.extensionManager.toast.removeAll()")
        if self.page.locator(".vidu-library").count():
            self.command(LIBRARY)
        self.clear()
        self.set("Comfy.VueNodes.Enabled", nodes_2)

    def set(self, setting: str, value: object) -> None:
        script = "([name, value]) => app.extensionManager.setting.set(name, value)"
        self.page.evaluate(script, [setting, value])

    def command(self, name: str) -> None:
        self.page.evaluate("(name) => app.extensionManager.command.execute(name)", name)

    # -- the graph -------------------------------------------------------------------------------

    def load(self, workflow: Path | dict) -> None:
        if isinstance(workflow, Path):
            workflow = json.loads(workflow.read_text(encoding="utf-8"))
        self.page.evaluate("(graph) => app.loadGraphData(graph)", workflow)
        self.command("Comfy.Canvas.FitView")

    def clear(self) -> None:
        self.page.evaluate("() => app.graph.clear()")

    def nodes(self, kind: str) -> list[dict]:
        """The values of each node of a kind, by widget."""
        script = """(kind) => app.graph.nodes.filter((node) => node.type === kind)
            .map(({ widgets }) => widgets.map((widget) => [widget.name, widget.value]))
            .map(Object.fromEntries)"""
        return self.page.evaluate(script, kind)

    def change(self, kind: str, **values: object) -> None:
        """Set widgets of every node of a kind."""
        script = """([kind, values]) => {
            for (const node of app.graph.nodes.filter((node) => node.type === kind))
                for (const [name, value] of Object.entries(values)) {
                    const widget = node.widgets.find((widget) => widget.name === name);
                    widget.value = value;
                    widget.callback?.(value);
                }
        }"""
        self.page.evaluate(script, [kind, values])

    def badges(self, kind: str) -> list[str]:
        script = """(kind) => app.graph.nodes.find((node) => node.type === kind).badges
            .map((badge) => (typeof badge === "function" ? badge() : badge).text)"""
        return self.page.evaluate(script, kind)

    def wait_for_badge(self, kind: str, text: str) -> None:
        """Wait until the price is on the first node of a kind, and in Nodes 2.0 on the page."""
        script = """([kind, text]) => app.graph.nodes.find((node) => node.type === kind).badges
            .some((badge) => (typeof badge === "function" ? badge() : badge).text === text)"""
        self.page.wait_for_function(script, arg=[kind, text])
        if self.page.evaluate("() => app.extensionManager.setting.get('Comfy.VueNodes.Enabled')"):
            self.page.get_by_text(text, exact=True).first.wait_for()

    # -- running ---------------------------------------------------------------------------------

    def start(self) -> None:
        self.page.evaluate(LISTEN, ENDS)
        self.page.get_by_test_id("queue-button").click()

    def end(self) -> tuple[str, dict]:
        """How the run ended: the kind of the message, and what it says."""
        kind, detail = self.page.evaluate("() => window.ended")
        return kind, detail

    def run(self) -> None:
        self.start()
        kind, detail = self.end()
        assert kind == "execution_success", detail

    def video(self) -> Locator:
        """The clip that plays on a node."""
        return self.page.locator("video[controls]:visible").first

    # -- the pack's own corners ------------------------------------------------------------------

    def library(self) -> Locator:
        self.command(LIBRARY)
        tab = self.page.locator(".vidu-library")
        tab.locator(".vidu-money").wait_for()
        return tab

    def choose(self, card: Locator, action: str) -> None:
        card.get_by_role("button", name="Actions").click()
        self.page.get_by_role("menuitem", name=action).click()

    def settings(self) -> Locator:
        self.command("Comfy.ShowSettingsDialog")
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_text("Vidu", exact=True).click()
        return dialog
