/**
 * The terminal that people read the command line on.
 *
 * @module
 */

import process from "node:process";
import type { Terminal } from "./command.ts";

const CODES = { red: 31, green: 32, cyan: 36, dim: 2 } as const;

/** A colour that means something: good, bad, learned, or of less interest. */
export type Colour = keyof typeof CODES;

/**
 * The terminal of this process.
 *
 * @returns It, or undefined if the output goes elsewhere, or to one that shows control characters as they are.
 */
export function systemTerminal(): Terminal | undefined {
  const { stdout } = process;
  if (stdout.isTTY !== true || process.env.TERM === "dumb") return undefined;
  return {
    get columns() {
      // One that does not know its width says 0.
      return stdout.columns || 80;
    },
    hasColours: !process.env.NO_COLOR,
    write: (text) => void stdout.write(text),
  };
}

/** Colours a text, where there are colours. */
export function painted(terminal: Terminal | undefined, colour: Colour | undefined, text: string): string {
  return terminal?.hasColours && colour !== undefined ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text;
}
