import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { itemsInScope, planReencryption, type ReencryptionScope } from '../reencryption/plan.ts'
import { shareOut, watchSharing } from '../reencryption/share-out.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { startProgress } from './progress.ts'
import { renderJson } from './render.ts'
import { type StopSignal, stoppedCode } from './stop-signal.ts'
import { renderCount } from './table.ts'
import type { Terminal } from './terminal.ts'

/** How a sharing is shown and ended. */
export interface Showing {
  readonly terminal: Terminal
  readonly stop: StopSignal
  readonly isJson: boolean
}

/** Gives a re-encryption out to the running encryptors, and watches it until nothing is left of it. */
export async function share(
  config: Config,
  scope: ReencryptionScope,
  { terminal, stop, isJson }: Showing,
): Promise<void> {
  const { withSharing } = await import('../compose/reencryption-crew.ts')
  const { signal } = stop
  const report = await withSharing(config, async ({ queue, marks, sources }) => {
    const items = itemsInScope(sources, scope, systemClock.nowMs())
    const shared = await shareOut({ queue, marks }, items, scope)
    const progress = startProgress('segments', true, shared)
    let done = 0
    const onLeft = (left: number) => {
      const now = Math.max(done, shared - left)
      progress.add(now - done)
      done = now
    }
    await watchSharing(queue, systemClock, { onLeft, signal }).finally(() => progress.end())
    const plan = await planReencryption(sources, scope, systemClock.nowMs())
    return { shared, notDone: plan.segments, isStopped: signal.aborted }
  })
  terminal.out(isJson ? renderJson(report) : render(report))
  terminal.exitCode = exitCodeFor(report, stop)
}

interface Report {
  readonly shared: number
  /** Published segments in scope that are where they were. */
  readonly notDone: number
  readonly isStopped: boolean
}

function render({ shared, notDone, isStopped }: Report): string {
  const lines = [`gave out ${renderCount(shared)} segments to the running encryptors`]
  if (isStopped) lines.push('no longer watched; those who take part go on')
  else if (notDone > 0) {
    lines.push(
      `${renderCount(notDone)} segments were not re-encrypted; run without --share to see why`,
    )
  } else if (shared > 0) lines.push('all of them are re-encrypted')
  return `${lines.join('\n')}\n`
}

function exitCodeFor({ notDone, isStopped }: Report, { signal }: StopSignal): number {
  if (isStopped) return stoppedCode(signal)
  return notDone > 0 ? EXIT_CODES.failed : EXIT_CODES.ok
}
