import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Runs `work` in a folder of its own and ends the process: its last line is the summary as JSON; exit
 * code 0 when nothing was wrong, else 1, and the folder with the logs is kept then.
 */
export async function inFolder(
  name: string,
  keep: boolean,
  work: (folder: string) => Promise<{ readonly wrong: readonly string[] }>,
): Promise<never> {
  const folder = mkdtempSync(join(tmpdir(), `sealstream-${name}-`))
  let isKept = keep
  let exitCode = 0
  try {
    const summary = await work(folder)
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    if (summary.wrong.length > 0) exitCode = 1
  } catch (error) {
    exitCode = 1
    process.stderr.write(`${name}: ${error instanceof Error ? error.stack : error}\n`)
  }
  isKept ||= exitCode !== 0
  if (isKept) process.stderr.write(`kept: ${folder}\n`)
  else rmSync(folder, { recursive: true, force: true })
  process.exit(exitCode)
}
