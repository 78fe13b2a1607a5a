import type { FlowRow, ScheduleRow, TokenRow } from '../store.ts'
import type { ContractContext } from './context.ts'
import { T0 } from './context.ts'

/** The small tables: flows, versions, schedules, settings, tokens. */
export function tables({ test, expect }: ContractContext): void {
  test('a flow version never changes', async (store) => {
    const version = { hash: 'h1', flow: 'greet', plan: '{"v":1}', createdAt: T0 }
    await store.putFlowVersion(version)
    await store.putFlowVersion({ ...version, plan: 'changed', createdAt: T0 + 5 })
    await store.putFlowVersion({ ...version, hash: 'h2', createdAt: T0 + 1 })
    await store.putFlowVersion({ ...version, hash: 'h3', flow: 'other' })
    expect(await store.getFlowVersion('h1')).toEqual(version)
    expect(await store.getFlowVersion('h9')).toBe(null)
    expect((await store.listFlowVersions('greet')).map(({ hash }) => hash)).toEqual(['h2', 'h1'])
  })

  test('flows are put, replaced, listed and deleted per tenant', async (store) => {
    const flow: FlowRow = { tenant: 'default', name: 'b', hash: 'h1', source: 'yaml', enabled: true, updatedAt: T0 }
    await store.putFlow(flow)
    await store.putFlow({ ...flow, name: 'a' })
    await store.putFlow({ ...flow, tenant: 'acme' })
    const replaced = { ...flow, hash: 'h2', enabled: false, updatedAt: T0 + 1 }
    await store.putFlow(replaced)
    expect(await store.listFlows('default')).toEqual([{ ...flow, name: 'a' }, replaced])
    expect((await store.listFlows(null)).map(({ tenant, name }) => `${tenant}/${name}`)).toEqual([
      'acme/b',
      'default/a',
      'default/b',
    ])
    expect(await store.deleteFlow('default', 'b')).toBe(true)
    expect(await store.deleteFlow('default', 'b')).toBe(false)
    expect(await store.listFlows('acme')).toHaveLength(1)
  })

  test('schedules are kept by tenant, flow and trigger', async (store) => {
    const row: ScheduleRow = {
      tenant: 'default',
      flow: 'report',
      trigger: '0',
      spec: '0 9 * * *',
      lastAt: null,
      nextAt: T0,
    }
    await store.putSchedule(row)
    await store.putSchedule({ ...row, trigger: '1' })
    await store.putSchedule({ ...row, lastAt: T0, nextAt: T0 + 5 })
    expect(await store.listSchedules()).toEqual([
      { ...row, lastAt: T0, nextAt: T0 + 5 },
      { ...row, trigger: '1' },
    ])
    await store.deleteSchedule('default', 'report', '0')
    await store.deleteSchedule('default', 'report', 'unknown')
    expect(await store.listSchedules()).toEqual([{ ...row, trigger: '1' }])
  })

  test('settings are kept', async (store) => {
    expect(await store.getMeta('cursor')).toBe(null)
    await store.setMeta('cursor', '1')
    await store.setMeta('cursor', '2')
    expect(await store.getMeta('cursor')).toBe('2')
  })

  test('tokens are found by their hash', async (store) => {
    const token: TokenRow = {
      id: 't1',
      tenant: 'default',
      name: 'ci',
      hash: 'a'.repeat(64),
      permissions: ['runs:read', 'runs:start'],
      createdAt: T0,
      expiresAt: null,
    }
    await store.putToken(token)
    await store.putToken({ ...token, id: 't0', hash: 'b'.repeat(64), expiresAt: T0 + 1 })
    await store.putToken({ ...token, id: 't2', tenant: 'acme', hash: 'c'.repeat(64) })
    expect(await store.findToken('a'.repeat(64))).toEqual(token)
    expect(await store.findToken('d'.repeat(64))).toBe(null)
    expect((await store.listTokens('default')).map(({ id }) => id)).toEqual(['t0', 't1'])
    expect(await store.deleteToken('default', 't2')).toBe(false)
    expect(await store.deleteToken('default', 't1')).toBe(true)
    expect(await store.findToken('a'.repeat(64))).toBe(null)
  })

  test('figures count what was committed', async (store) => {
    const before = store.stats()
    await Promise.all(Array.from({ length: 20 }, (_, i) => store.setMeta(`k${i}`, 'v')))
    const after = store.stats()
    expect(after.kind).toBe(store.kind)
    expect(after.commits).toBeGreaterThan(before.commits)
    expect(after.pending).toBe(0)
  })
}
