import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/**
 * Resolves once what was written so far is on disk. Otherwise the system writes it back, at a limit of its own, on
 * the account of whoever writes then: after a few gigabytes the next line seems to cost half as much again.
 */
export async function writtenBack(): Promise<void> {
  await promisify(execFile)('sync')
}
