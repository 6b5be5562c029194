/**
 * The page of the demo: puts client, figures and knobs together.
 *
 * @module
 */

import { SystemEventLoop } from "../../../../mod.ts";
import { workerTimerHost } from "../../../../pipeline/worker_timers.ts";
import type { Begin, NatSettings, Told } from "../_messages.ts";
import { DemoClient } from "./_client.ts";
import { Newsreader } from "./_newsreader.ts";
import { byId, View } from "./_view.ts";

const WRITE_MS = 250;
const DRAW_MS = 500;
const DESCRIBE_MS = 5_000;

const news = new Newsreader(byId("news"));
const form = byId<HTMLFormElement>("settings");
const timeout = byId<HTMLInputElement>("nat-timeout");
let client: DemoClient | undefined;

const events = new EventSource("/events");
events.onmessage = ({ data }) => {
  const told = JSON.parse(data) as Told;
  if (told.type === "begin") begin(told);
  else if (told.type === "push") client?.pushes.wasSent(told.n, told.sentMs);
  else {
    client?.moved(told.settings);
    show(told.settings);
  }
};
events.onerror = () => news.say("The demo in the terminal does not answer; if it has ended, start it again.");

timeout.oninput = showTimeout;
form.onsubmit = (event) => {
  event.preventDefault();
  const mode = new FormData(form).get("mode") as NatSettings["mode"];
  post("/settings", { natTimeoutMs: timeout.valueAsNumber * 1000, mode } satisfies NatSettings);
};
byId("cut").onclick = async () => {
  if (await post("/cut", {})) client?.wasCut();
};

function begin(told: Begin): void {
  // The stream of events was interrupted and goes on; another demo at the same address is another client's.
  if (client !== undefined) {
    if (client.linkUrl !== told.linkUrl) location.reload();
    return;
  }
  show(told.settings);
  const timers = workerTimerHost();
  client = new DemoClient({
    loop: new SystemEventLoop({ host: timers }),
    begin: told,
    onNews: (text) => news.say(text),
    onVerdict: (verdict) => view.mark(verdict),
  });
  const view = new View(client, timers);
  view.draw();
  setInterval(() => view.write(), WRITE_MS);
  setInterval(() => view.draw(), DRAW_MS);
  setInterval(() => view.describe(), DESCRIBE_MS);
}

/** Puts the knobs where the box's are. */
function show({ natTimeoutMs, mode }: NatSettings): void {
  timeout.valueAsNumber = natTimeoutMs / 1000;
  for (const radio of form.querySelectorAll<HTMLInputElement>("[name=mode]")) {
    radio.checked = radio.value === mode;
  }
  showTimeout();
}

function showTimeout(): void {
  byId("nat-timeout-text").textContent = `${timeout.value} s`;
  timeout.setAttribute("aria-valuetext", `${timeout.value} seconds`);
}

/** Whether it worked. */
async function post(path: string, body: object): Promise<boolean> {
  try {
    const response = await fetch(path, { method: "POST", body: JSON.stringify(body) });
    if (response.ok) return true;
    news.say(await response.text());
  } catch {
    news.say("The demo in the terminal does not answer.");
  }
  return false;
}
