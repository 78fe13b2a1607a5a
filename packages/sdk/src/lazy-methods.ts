/** Methods of something that is loaded when the first of them is called. */
type AsyncMethod = (...args: never[]) => Promise<unknown>

export function lazyMethods<Target, const Name extends keyof Target>(
  open: () => Promise<Target>,
  names: readonly Name[],
): Pick<Target, Name> {
  const entries = names.map((name) => {
    const call = async (...args: never[]): Promise<unknown> => {
      const target = await open()
      // Only methods that answer promises are named.
      return (target[name] as AsyncMethod).apply(target, args)
    }
    return [name, call]
  })
  return Object.fromEntries(entries) as Pick<Target, Name>
}
