/**
 * Frames: what a run is in the middle of, as a tree. A block of steps has a frame, and so has each loop, parallel, try,
 * effect and wait in it; a set, a condition or a skipped step leaves none. Frames are plain JSON: links upward and to
 * what is derived live under symbols, which JSON leaves out and `live.ts` restores.
 */
import type { ErrorInfo } from '../error.ts'
import type { Json, JsonObject } from '../json.ts'
import type { RunScope } from './scope.ts'
import type { SecretParts } from './secrets.ts'

/** The frame above. */
export const UP: unique symbol = Symbol('up')
/** What expressions of the frame see. */
export const SCOPE: unique symbol = Symbol('scope')
/** Whether the frame is on the work list of the running decision. */
export const QUEUED: unique symbol = Symbol('queued')

/** How an `exit` step ends the run. */
export interface Exit {
  readonly status: 'success' | 'failure'
  readonly reason: string | null
  readonly outputs: JsonObject
  readonly step: string
}

/** Why a frame is left before it is done. */
export type Cause =
  | { readonly kind: 'failed'; readonly error: ErrorInfo }
  | { readonly kind: 'exited'; readonly exit: Exit }
  /** Left because something around it was left; `error` is what its `finally` blocks raised meanwhile. */
  | { readonly kind: 'cancelled'; readonly error: ErrorInfo | null }

/** How a frame has ended. */
export type Outcome = { readonly kind: 'done'; readonly value: Json } | Cause

interface FrameBase {
  /** Position in the order of creation; timers due at the same time fire in this order. */
  readonly serial: number
  /** Index of the node in the program; -1 for the run and its own blocks. */
  readonly node: number
  /** Generation of the steps in here: 1, or that of the retry that began them again. */
  readonly gen: number
  /** Set once; a frame that did not end well stays in the tree until its error is handled, so that it can be retried. */
  outcome: Outcome | null
  /** Set when the frame is being left; it ends when what is below it has ended. */
  leaving: Cause | null
  /** When the frame is left with a time-out (epoch ms); for an effect that is being left: the end of its grace. */
  deadline: number | null
  [UP]: Frame | null
  [SCOPE]: RunScope
  [QUEUED]: boolean
}

/** A list of steps, one after the other: a branch, a loop's iteration, a handler, the run's own steps. */
export interface BlockFrame extends FrameBase {
  readonly kind: 'block'
  /** Index of the block in the program. */
  readonly block: number
  /** Which iteration, branch or case it is. */
  readonly index: number
  /** The step that runs, or is next. */
  pos: number
  /** Frame of the step at `pos`, if it has one. */
  child: Frame | null
  /** The `on_error` block of the step at `pos`, while it runs. */
  handler: BlockFrame | null
  /** Generation that a next `on_error` block gets. */
  handlerGen: number
  /** Generation of the step at `pos`. */
  stepGen: number
  /** Whether the step at `pos` has failed. */
  failed: boolean
  /** Label of the step at `pos`. */
  label: string | null
  /** Value of the step before. */
  last: Json
  /** The error that a handler handles. */
  readonly error: ErrorInfo | null
  /** Values of the steps in here by slot; null when they belong to the block around. */
  readonly values: Json[] | null
  labels: { [label: string]: Json } | null
  /** Position in the parent's list of running frames. */
  slot: number
}

/** A task, an action or a sub-flow that has begun. */
export interface EffectFrame extends FrameBase {
  readonly kind: 'effect'
  readonly path: string
  phase: 'running' | 'backoff' | 'lookup' | 'held'
  /** Number of the attempt that runs, or ran last. */
  attempt: number
  /** Attempts that have failed; what the retry policy counts. */
  failures: number
  input: Json
  secrets: SecretParts | null
  /** When the next attempt begins. */
  due: number | null
  /** Whether it is a sub-flow. */
  readonly child: boolean
  /** Why the step is held. */
  reason: string | null
}

export interface WaitFrame extends FrameBase {
  readonly kind: 'wait'
  readonly path: string
  readonly wait: 'delay' | 'until' | 'event' | 'approval' | 'webhook'
  /** Id of the step, by which signals name it. */
  readonly name: string | null
  /** When the wait began. */
  readonly since: number
  due: number | null
  readonly event: string | null
  /** Events up to this id have been received by the wait's earlier iterations. */
  readonly after: number
  /** Whether the shell has been asked to offer events. */
  subscribed: boolean
  readonly title: string | null
  readonly assignees: Json
}

export interface LoopFrame extends FrameBase {
  readonly kind: 'loop'
  readonly items: Json[]
  /** The next item to begin. */
  next: number
  readonly results: Json[]
  errors: Json[]
  running: BlockFrame[]
  /** Iterations that did not end well, kept for a retry. */
  stopped: BlockFrame[]
}

export interface RepeatFrame extends FrameBase {
  readonly kind: 'repeat'
  iteration: number
  /** Iterations after which it is exhausted: `max`, and as many again for each retry. */
  limit: number
  phase: 'body' | 'after' | 'delay'
  vars: { [name: string]: Json }
  results: Json[]
  body: BlockFrame | null
  due: number | null
  /** Newest event received by each event wait in here (path below the iteration), so that it is received once. */
  cursors: { [wait: string]: number } | null
}

export type BranchState = 'pending' | 'running' | 'done' | 'failed'

export interface ParallelFrame extends FrameBase {
  readonly kind: 'parallel'
  readonly states: BranchState[]
  /** Frames of branches that run or did not end well. */
  readonly branches: (BlockFrame | null)[]
  readonly results: Json[]
  active: number
}

export interface TryFrame extends FrameBase {
  readonly kind: 'try'
  phase: 'try' | 'catch' | 'finally'
  body: BlockFrame | null
  /** The `catch` or `finally` block. */
  handler: BlockFrame | null
  /** Generation that next handlers get. */
  handlerGen: number
  /** What the try block, or its catch, came to; takes effect after `finally`. */
  pending: Outcome | null
}

/** The root of the tree. */
export interface RunFrame extends FrameBase {
  readonly kind: 'run'
  phase: 'steps' | 'on_error' | 'on_cancel' | 'ended'
  body: BlockFrame | null
  handler: BlockFrame | null
  handlerGen: number
}

export type Frame = BlockFrame | EffectFrame | WaitFrame | LoopFrame | RepeatFrame | ParallelFrame | TryFrame | RunFrame

/** Calls back for each frame directly below, those kept for a retry included. */
export function eachChild(frame: Frame, visit: (child: Frame) => void): void {
  switch (frame.kind) {
    case 'block':
      if (frame.child !== null) visit(frame.child)
      if (frame.handler !== null) visit(frame.handler)
      return
    case 'loop':
      frame.running.forEach(visit)
      frame.stopped.forEach(visit)
      return
    case 'repeat':
      if (frame.body !== null) visit(frame.body)
      return
    case 'parallel':
      for (const branch of frame.branches) if (branch !== null) visit(branch)
      return
    case 'try':
    case 'run':
      if (frame.body !== null) visit(frame.body)
      if (frame.handler !== null) visit(frame.handler)
      return
    case 'effect':
    case 'wait':
      return
  }
}
