/** Packages that a project's files may import before the project has installed them: this one, and the schemas it uses. */
export const provided: { readonly [specifier: string]: string } = {
  plugwork: import.meta.resolve('plugwork'),
  zod: import.meta.resolve('zod'),
}
