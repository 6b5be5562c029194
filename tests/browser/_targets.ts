/**
 * Tabs that really are hidden when another one is in front. Playwright tells
 * its own pages that they have the focus, so these are made past it.
 *
 * @module
 */

import type { Browser, CDPSession } from "playwright-core";

interface Answer {
  readonly id: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Opens tabs in one window. */
export class Tabs {
  readonly #cdp: CDPSession;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #lastId = 0;

  private constructor(cdp: CDPSession) {
    this.#cdp = cdp;
    cdp.on("Target.receivedMessageFromTarget", ({ message }) => {
      const answer = JSON.parse(message) as Answer;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
  }

  static async of(browser: Browser): Promise<Tabs> {
    return new Tabs(await browser.newBrowserCDPSession());
  }

  /** Opens a tab, in front. */
  async open(url: string): Promise<Tab> {
    const { targetId } = await this.#cdp.send("Target.createTarget", { url });
    const { sessionId } = await this.#cdp.send("Target.attachToTarget", { targetId, flatten: false });
    const tab = new Tab(
      (method, params) => this.#send(sessionId, method, params),
      () => this.#cdp.send("Target.activateTarget", { targetId }),
    );
    await tab.show();
    return tab;
  }

  async #send(sessionId: string, method: string, params: object): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, resolve);
    const message = JSON.stringify({ id, method, params });
    await this.#cdp.send("Target.sendMessageToTarget", { sessionId, message });
    const { result, error } = await promise;
    if (error !== undefined) throw new Error(`Cannot ${method}: ${error.message}`);
    return result!;
  }
}

/** One of them. */
export class Tab {
  readonly send: (method: string, params: object) => Promise<Record<string, unknown>>;
  readonly show: () => Promise<unknown>;

  constructor(send: Tab["send"], show: Tab["show"]) {
    this.send = send;
    this.show = show;
  }

  /** The value of an expression there, as JSON can carry it. */
  async value<T>(expression: string): Promise<T> {
    const answer = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { result, exceptionDetails } = answer as {
      result: { value: T };
      exceptionDetails?: { text: string };
    };
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return result.value;
  }

  /** Waits until an expression is true there. */
  async until(expression: string): Promise<void> {
    for (let left = 600; left > 0; left--) {
      if (await this.value<boolean>(`globalThis.document !== undefined && (${expression})`)) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(
      `Waited 30 s in vain for: ${expression}; there is ${await this.value(
        "JSON.stringify(globalThis.link?.events)",
      )}`,
    );
  }
}
