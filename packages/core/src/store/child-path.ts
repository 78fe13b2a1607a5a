/** Under which name a parent's row knows the child of an attempt: the step's path, from the second attempt on with its number. */
export function childPath(path: string, attempt: number): string {
  return attempt === 1 ? path : `${path}#${attempt}`
}

/** Step and attempt of a name that `childPath` made. A step's path never has a `#`. */
export function parseChildPath(name: string): { readonly path: string; readonly attempt: number } {
  const [path = '', attempt = '1'] = name.split('#')
  return { path, attempt: Number(attempt) }
}
