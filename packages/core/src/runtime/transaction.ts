import type { Command } from '../engine/command.ts'
import { childPath } from '../store/child-path.ts'
import type { Batch } from './batch.ts'
import type { RunActor } from './run-actor.ts'
import type { RunShell } from './run-shell.ts'

/**
 * Puts into a batch what a command wants in the transaction of its own record: children, events, subscriptions, messages to
 * children. All commands of the batch are looked at again once it is durable.
 */
export function collectCommand(run: RunActor, shell: RunShell, batch: Batch, command: Command): void {
  batch.commands.push(command)
  switch (command.type) {
    case 'start_child': {
      const child = shell.child(run, command)
      if (!('code' in child)) {
        ;(batch.children ??= []).push(child)
        return
      }
      const { path, attempt } = command
      const at = shell.clock.now()
      // After the record that is being made, not within it.
      queueMicrotask(() =>
        run.feed({ type: 'child_ended', at, path, attempt, runId: '', status: 'failed', error: child }),
      )
      return
    }
    case 'cancel_child': {
      const payload = { force: command.force, reason: 'The step of the parent run was cancelled.' }
      const message = { kind: 'cancel', dedupe: `parent:${command.force}`, payload, at: shell.clock.now() }
      ;(batch.childMessages ??= []).push({ parentPath: childPath(command.path, command.attempt), message })
      return
    }
    case 'emit': {
      const event = { tenant: run.tenant, name: command.event, data: command.data, at: shell.clock.now() }
      ;(batch.events ??= []).push(event)
      return
    }
    case 'abort':
      batch.aborts = true
      return
    case 'subscribe':
      ;(batch.subscribe ??= []).push(run.subscriptions.add(command))
      return
    case 'unsubscribe':
      run.subscriptions.remove(command.path)
      ;(batch.unsubscribe ??= []).push(command.path)
      return
    default:
      return
  }
}
