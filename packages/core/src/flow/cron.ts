/** Cron expressions and time zones, checked with the library that also computes the ticks. */
import { Cron } from 'croner'
import { closest } from '../expression/suggest.ts'
import type { Compilation } from './compilation.ts'
import type { Place } from './place.ts'

/** Any fixed time will do: whether an expression ever comes due does not depend on when one asks. */
const SOME_TIME = new Date(Date.UTC(2024, 0, 1))

/** What is wrong with a cron expression; null when nothing is. */
export function cronProblem(cron: string): string | null {
  const fields = cron.trim().split(/\s+/).length
  if (!cron.startsWith('@') && fields !== 5 && fields !== 6) {
    return `it has ${fields} fields; there are five (minute, hour, day, month, weekday), or six with seconds first`
  }
  try {
    const next = new Cron(cron, { paused: true, timezone: 'UTC' }).nextRun(SOME_TIME)
    return next === null ? 'it never comes due' : null
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error)
  }
}

export function checkCron(c: Compilation, place: Place, cron: string): void {
  const found = cronProblem(cron)
  if (found !== null) c.report('PW1080', place, `The cron expression \`${cron}\` is not valid: ${found}.`)
}

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

export function checkTimeZone(c: Compilation, place: Place, name: string): void {
  if (isTimeZone(name)) return
  const near = closest(name, Intl.supportedValuesOf('timeZone'))
  c.report('PW1081', place, `There is no time zone \`${name}\`.`, {
    suggestion: near === undefined ? 'use an IANA name such as `Europe/Berlin`' : `did you mean \`${near}\`?`,
  })
}
