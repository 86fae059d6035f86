import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { scaleOptions } from './options.ts'
import { ScaleRun } from './run.ts'

/**
 * `npm run test:nuclear -- --gigabytes 5`: the last line is a summary as JSON; exit code 0 when nothing
 * was wrong, else 1, and logs are kept then.
 */
const options = scaleOptions(process.argv.slice(2))
const folder = mkdtempSync(join(tmpdir(), 'sealstream-nuclear-'))
let isKept = options.keep
try {
  const summary = await new ScaleRun(folder, options).run()
  process.stdout.write(`${JSON.stringify(summary)}\n`)
  if (summary.wrong.length > 0) {
    isKept = true
    process.exitCode = 1
  }
} catch (error) {
  isKept = true
  process.exitCode = 1
  process.stderr.write(`nuclear: ${error instanceof Error ? error.stack : error}\n`)
}
if (isKept) process.stderr.write(`kept: ${folder}\n`)
else rmSync(folder, { recursive: true, force: true })
process.exit()
