import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chaosOptions } from './options.ts'
import { ChaosRun } from './run.ts'

/** `npm run test:chaos`: exit code 0 when nothing was wrong, else 1, and everything is kept then. */
const options = chaosOptions(process.argv.slice(2))
const folder = mkdtempSync(join(tmpdir(), 'sealstream-chaos-'))
process.stderr.write(`logs and data: ${folder}\n`)
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())

let isKept = options.keep
try {
  const findings = await new ChaosRun(folder, options).run(stop.signal)
  if (findings.length > 0) {
    isKept = true
    process.exitCode = 1
  }
} catch (error) {
  isKept = true
  process.exitCode = 1
  process.stderr.write(`chaos: ${error instanceof Error ? error.stack : error}\n`)
}
if (isKept) process.stderr.write(`kept: ${folder}\n`)
else rmSync(folder, { recursive: true, force: true })
process.exit()
