// `make soak` runs the same tests with the full numbers; `make test` with few, to be short.

export const SOAK = process.env["SLUICE_SOAK"] === "1";
