/** The small tables of the memory store: flows, their versions, schedules, settings, tokens. */
import type { FlowRow, FlowVersion, ScheduleRow, TokenRow } from '../store.ts'

/** Rows by key. */
export class SmallTables {
  readonly flowVersions = new Map<string, FlowVersion>()
  readonly flows = new Map<string, FlowRow>()
  readonly schedules = new Map<string, ScheduleRow>()
  readonly tokens = new Map<string, TokenRow>()
  readonly meta = new Map<string, string>()
}

/** The operations of the store's contract on them. */
export abstract class MemoryTables {
  readonly #disk: SmallTables

  constructor(tables: SmallTables) {
    this.#disk = tables
  }

  /** Counts a write; throws when the store takes none. */
  protected abstract beginWrite(): void

  async putFlowVersion(version: FlowVersion): Promise<void> {
    this.beginWrite()
    if (!this.#disk.flowVersions.has(version.hash)) this.#disk.flowVersions.set(version.hash, { ...version })
  }

  async getFlowVersion(hash: string): Promise<FlowVersion | null> {
    return this.#disk.flowVersions.get(hash) ?? null
  }

  async listFlowVersions(flow: string): Promise<readonly FlowVersion[]> {
    return [...this.#disk.flowVersions.values()]
      .filter((version) => version.flow === flow)
      .toSorted((a, b) => b.createdAt - a.createdAt || compare(a.hash, b.hash))
  }

  async putFlow(row: FlowRow): Promise<void> {
    this.beginWrite()
    this.#disk.flows.set(keyOf(row.tenant, row.name), { ...row })
  }

  async deleteFlow(tenant: string, name: string): Promise<boolean> {
    this.beginWrite()
    return this.#disk.flows.delete(keyOf(tenant, name))
  }

  async listFlows(tenant: string | null): Promise<readonly FlowRow[]> {
    return [...this.#disk.flows.values()]
      .filter((row) => tenant === null || row.tenant === tenant)
      .toSorted((a, b) => compare(a.tenant, b.tenant) || compare(a.name, b.name))
  }

  async listSchedules(): Promise<readonly ScheduleRow[]> {
    return [...this.#disk.schedules.values()].toSorted(
      (a, b) => compare(a.tenant, b.tenant) || compare(a.flow, b.flow) || compare(a.trigger, b.trigger),
    )
  }

  async putSchedule(row: ScheduleRow): Promise<void> {
    this.beginWrite()
    this.#disk.schedules.set(keyOf(row.tenant, row.flow, row.trigger), { ...row })
  }

  async deleteSchedule(tenant: string, flow: string, trigger: string): Promise<void> {
    this.beginWrite()
    this.#disk.schedules.delete(keyOf(tenant, flow, trigger))
  }

  async getMeta(key: string): Promise<string | null> {
    return this.#disk.meta.get(key) ?? null
  }

  async setMeta(key: string, value: string): Promise<void> {
    this.beginWrite()
    this.#disk.meta.set(key, value)
  }

  async putToken(row: TokenRow): Promise<void> {
    this.beginWrite()
    this.#disk.tokens.set(row.id, { ...row, permissions: [...row.permissions] })
  }

  async findToken(hash: string): Promise<TokenRow | null> {
    return [...this.#disk.tokens.values()].find((row) => row.hash === hash) ?? null
  }

  async listTokens(tenant: string): Promise<readonly TokenRow[]> {
    return [...this.#disk.tokens.values()]
      .filter((row) => row.tenant === tenant)
      .toSorted((a, b) => a.createdAt - b.createdAt || compare(a.id, b.id))
  }

  async deleteToken(tenant: string, id: string): Promise<boolean> {
    this.beginWrite()
    return this.#disk.tokens.get(id)?.tenant === tenant && this.#disk.tokens.delete(id)
  }
}

/** One string for several parts. */
export function keyOf(...parts: readonly string[]): string {
  return parts.join('\u0000')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
