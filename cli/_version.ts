/**
 * Which version this is.
 *
 * @module
 */

/** As in deno.json, which is not there to be read where the package has been bundled. */
export const VERSION = "0.1.0";
