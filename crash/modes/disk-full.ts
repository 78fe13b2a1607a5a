/**
 * The disk fills up under load: new work is refused with `store_full`, nothing that was acknowledged is lost, and work goes
 * on when space returns. A small tmpfs where the machine lets us mount one, else SQLite's own page limit.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { allEnded, Client } from '../client.ts'
import { checkInvariants, type Violation } from '../invariants.ts'
import { seeded } from '../random.ts'
import { readEffects } from '../evidence.ts'
import { references } from '../references.ts'
import { openWorkshop } from '../workshop.ts'

function mountTmpfs(folder: string, megabytes: number): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'pipe' })
    return true
  } catch {
    return false
  }
}

export async function diskFull(options: {
  readonly seed: number
  readonly keep: boolean
}): Promise<readonly Violation[]> {
  const random = seeded(options.seed)
  await using workshop = await openWorkshop({ random, flows: 6, keep: options.keep })
  const reference = await references(workshop)
  const client = new Client(workshop, random)
  const violations: Violation[] = []
  const data = join(workshop.folder, 'data')
  mkdirSync(data)
  const mounted = mountTmpfs(data, 24)
  const limit: Record<string, string> = mounted ? {} : { PLUGWORK_SQLITE_MAX_PAGES: '300' }
  const ballast = join(data, 'ballast')
  let node = workshop.node('data', limit)
  try {
    await node.ready()
    await client.talk(node, 3)
    if (mounted) {
      // Takes what is left of the file system, down to the last block.
      for (const size of [1 << 20, 1 << 16, 1 << 12]) fill(ballast, size)
    }
    for (let i = 0; i < 40 && !client.refusals.has('store_full'); i++) await client.talk(node, 10)
    const refusals = [...client.refusals].map(([code, n]) => `${code} ${n}`).join(', ')
    process.stdout.write(
      `${mounted ? 'tmpfs' : 'page limit'}: ${client.starts.length} acknowledged, refused: ${refusals || 'none'}\n`,
    )
    if (!client.refusals.has('store_full')) {
      violations.push({ invariant: 'full', what: 'a full disk was never answered with store_full' })
    }
    for (const code of client.refusals.keys()) {
      if (code !== 'store_full') violations.push({ invariant: 'full', what: `a full disk was answered with ${code}` })
    }
    if (mounted) rmSync(ballast)
    else {
      await node.stop()
      node = workshop.node('data')
      await node.ready()
    }
    await client.settle(node)
    await client.talk(node, 3)
    await client.settle(node)
    await allEnded(node, 60_000)
    await node.stop()
    const endedAt = Date.now()
    const runs = await workshop.collect('data')
    const kills = mounted ? [] : [Date.now()]
    violations.push(
      ...checkInvariants({
        acknowledged: client,
        effects: readEffects(workshop.effectsFile),
        runs,
        kills,
        reference,
        endedAt,
      }),
    )
    return violations
  } finally {
    await node.kill()
    if (mounted) execFileSync('umount', [data])
  }
}

function fill(file: string, chunk: number): void {
  const bytes = Buffer.alloc(chunk)
  for (let i = 0; i < 10_000; i++) {
    try {
      writeFileSync(file, bytes, { flag: 'a' })
    } catch {
      return
    }
  }
}
