import { ignoreDebugSignal, type NodeFlags, refuseDumpFlags } from '../adapters/host/dump-flags.ts'
import { forbidCoreDumps } from '../adapters/host/process-limits.ts'
import type { Config } from '../config/schema.ts'

/** One line for a log. */
export interface GuardReport {
  readonly level: 'info' | 'warn'
  readonly message: string
}

/**
 * Keeps keys out of core dumps, heap snapshots, reports and debuggers, unless process.memoryDumps
 * allows these. Call it before there are any keys. Throws SEAL_CONFIG_INVALID when Node was started
 * in a way that lays its memory open.
 */
export async function guardMemory(
  { memoryDumps }: Config['process'],
  flags: NodeFlags,
): Promise<GuardReport> {
  if (memoryDumps === 'allow') {
    return {
      level: 'warn',
      message: 'process.memoryDumps is allow: whoever may dump or debug this process sees its keys',
    }
  }
  ignoreDebugSignal()
  refuseDumpFlags(flags)
  const failure = await forbidCoreDumps()
  if (failure === null) return { level: 'info', message: 'memory dumps and debuggers are refused' }
  return {
    level: 'warn',
    message: `core dumps are left as the system has them (${failure}): switch them off there`,
  }
}
