import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { composeReader, readReferences } from '../../../src/compose/references.ts'
import { loadConfig } from '../../../src/config/load-config.ts'
import { messageOf } from '../../../src/errors.ts'
import { CLI, cleanEnvironment } from './encryptor.ts'
import type { Ledger, LedgerVerdict } from './ledger.ts'

/** What a command of the product said. */
export interface CommandEnd {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Opens every reference there is and holds the messages against the ledger. A reference that does not
 * open is named in `failure`, and the rest of its topic is not read.
 */
export async function checkLedger(
  configPath: string,
  topics: readonly string[],
  ledger: Ledger,
): Promise<LedgerVerdict & { readonly failure: string | null }> {
  const { config } = loadConfig({ file: configPath, env: {} })
  const reader = composeReader(config)
  const { signal } = new AbortController()
  let failure: string | null = null
  try {
    for (const topic of topics) {
      await readReferences(
        config,
        { topic, from: 'beginning', follow: false, signal },
        async (values) => {
          for (const message of await reader.openReferences(values)) ledger.check(message)
        },
      )
    }
  } catch (error) {
    failure = messageOf(error)
  } finally {
    await reader.close()
  }
  return { ...ledger.verdict(), failure }
}

/** Runs one command of the product. */
export async function runCommand(args: readonly string[]): Promise<CommandEnd> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: cleanEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { code, stdout, stderr }
}
