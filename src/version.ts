/** The package's version, as in package.json (a test compares them): it marks what this copy of it has made. */
export const VERSION = '0.1.0';
