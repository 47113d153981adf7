import { PageAccess, Problem, ServerAccess, type Access } from "./access";
import { App } from "./app";
import { make } from "./dom";

function theme(): void {
  let chosen: string | null = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    /* no storage for this page: the system's choice */
  }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

async function start(): Promise<void> {
  theme();
  const token = decodeURIComponent(location.hash.slice(1));
  const access: Access = PageAccess.present() ? new PageAccess() : new ServerAccess(token);
  try {
    if (!PageAccess.present() && !token) throw new Problem("The address lacks its token. Open the whole address that dettrack view printed, with what stands behind the #.");
    const app = new App(access, token, await access.session());
    (window as unknown as { viewer: App }).viewer = app;
    await app.open();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    document.querySelector("main")!.replaceChildren(
      make("div", { class: "fatal", role: "alert" }, make("h2", {}, "This cannot be shown"), make("p", {}, words)));
  }
}

void start();
