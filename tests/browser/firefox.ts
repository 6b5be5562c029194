/**
 * The project's own tests in a page of Firefox.
 *
 * @module
 */

import { defineSuitesIn } from "./_runtime_suite.ts";
import { firefox } from "./_started_browser.ts";

await defineSuitesIn(firefox);
