/** The package's version, as in package.json (a test compares them): it marks the objects that this copy made. */
export const VERSION = '0.1.0';
