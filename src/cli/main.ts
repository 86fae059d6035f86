#!/usr/bin/env node
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { registerBackfillIndex } from './commands/backfill-index.ts'
import { registerCertificate } from './commands/certificate.ts'
import { registerCompletion } from './commands/completion.ts'
import { registerConfig } from './commands/config.ts'
import { registerDrill } from './commands/drill.ts'
import { registerImpact } from './commands/impact.ts'
import { registerIncident } from './commands/incident.ts'
import { registerInspect } from './commands/inspect.ts'
import { registerKeys } from './commands/keys.ts'
import { registerOpen } from './commands/open.ts'
import { registerRead } from './commands/read.ts'
import { registerRebuildIndex } from './commands/rebuild-index.ts'
import { registerReencrypt } from './commands/reencrypt.ts'
import { registerRewrap } from './commands/rewrap.ts'
import { registerRotate } from './commands/rotate.ts'
import { registerRun } from './commands/run.ts'
import { registerShred } from './commands/shred.ts'
import { registerSweep } from './commands/sweep.ts'
import { registerTail } from './commands/tail.ts'
import { registerVerify } from './commands/verify.ts'
import { outputFailure } from './data-output.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { refuseNode } from './node-version.ts'
import { failureStyle, type Registration, runCommandLine } from './program.ts'
import { renderFailure } from './render.ts'
import { processTerminal } from './terminal.ts'

/** Every command, in the order of the help. */
export const registrations: readonly Registration[] = [
  registerRun,
  registerRead,
  registerTail,
  registerOpen,
  registerImpact,
  registerInspect,
  registerVerify,
  registerKeys,
  registerRotate,
  registerRewrap,
  registerReencrypt,
  registerCertificate,
  registerShred,
  registerIncident,
  registerDrill,
  registerSweep,
  registerBackfillIndex,
  registerRebuildIndex,
  registerConfig,
  registerCompletion,
]

async function main(): Promise<void> {
  const refusal = refuseNode(process.versions.node)
  if (refusal !== null) {
    process.stderr.write(refusal)
    process.exit(EXIT_CODES.refused)
  }
  const terminal = processTerminal()
  const args = process.argv.slice(2)
  // The reader of a pipe may leave early, as `head` does; that is no failure.
  const onOutputFailure = (error: Error & { readonly code?: string }) => {
    if (error.code === 'EPIPE') process.exit(EXIT_CODES.ok)
    terminal.err(renderFailure(outputFailure('stdout', error), failureStyle(args, terminal)))
    process.exit(EXIT_CODES.failed)
  }
  process.stdout.on('error', onOutputFailure)
  // Whoever reads stderr may leave too, or its disk be full; there is nobody left to tell.
  process.stderr.on('error', () => {})
  process.on('uncaughtException', (error) => {
    terminal.err(renderFailure(error, failureStyle(args, terminal)))
    process.exit(EXIT_CODES.failed)
  })
  const code = await runCommandLine(args, registrations, terminal)
  // Ends here and not when nothing is left to do: after a lost connection the Cassandra driver
  // keeps timers for ever, whatever is closed. What stdout still holds goes out first.
  process.stdout.write('', (error) => (error ? onOutputFailure(error) : process.exit(code)))
}

const script = process.argv[1]
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url)) await main()
