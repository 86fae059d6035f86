import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { StackError } from '../../docker/stack/stack-error.ts'
import { isSealError, messageOf } from '../../src/errors.ts'
import { DemoError, DemoRefused } from './demo-error.ts'

/** What went wrong, and where to read on when a log in `failedLogs` says more. */
export function failureLines(error: unknown, failedLogs: string): string[] {
  const lines = [`error: ${messageOf(error)}`]
  if (error instanceof StackError) lines.push(...error.tail.map((line) => `  ${line}`))
  const logName = error instanceof DemoError ? error.logName : null
  const log = join(failedLogs, logName ?? '')
  if (!saysAll(error) && existsSync(log)) lines.push(`log: ${log}`)
  return lines
}

/** Logs that lie there are of another run, or know nothing of this. */
function saysAll(error: unknown): boolean {
  if (error instanceof DemoRefused || isSealError(error, 'SEAL_INPUT_INVALID')) return true
  return error instanceof StackError && error.code === 'STACK_BUSY'
}
