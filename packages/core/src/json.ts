/** A JSON value. Everything that flows through a run is one of these (or a `SecretText` on its way to a connector). */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type JsonObject = { [key: string]: Json }

/** A JSON Schema document (draft 2020-12), as far as Plugwork reads it. */
export type JsonSchema = { readonly [key: string]: unknown }
