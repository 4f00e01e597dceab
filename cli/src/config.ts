// The command line's one reader of the environment.

/** Options have their values here when no flag gives them; engine processes inherit it. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;
