/**
 * Named places at which a process can be told to die, for the crash tests: `PLUGWORK_CRASH_POINT=store.commit.before:7`
 * sends SIGKILL to the process at the seventh hit (counted per thread). Unset, a crash point costs one comparison.
 *
 * The environment is read once: what a crash point counts belongs to the process, which is why this one module keeps a
 * counter of its own.
 */
interface Armed {
  readonly name: string
  left: number
}

const armed: Armed | null = parse(process.env['PLUGWORK_CRASH_POINT'])

/** Kills the process when the environment asks for it here; otherwise does nothing. */
export function crashPoint(name: string): void {
  if (armed === null || armed.name !== name || --armed.left > 0) return
  process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment to arrive; nothing may happen in that moment.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

function parse(text: string | undefined): Armed | null {
  if (text === undefined || text === '') return null
  const colon = text.lastIndexOf(':')
  if (colon < 0) return { name: text, left: 1 }
  return { name: text.slice(0, colon), left: Number(text.slice(colon + 1)) }
}
