import type { TestProject } from 'vitest/node'
import { systemClock } from '../../src/clock.ts'
import { vaultBinary } from './vault-server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The Vault to start, a program. */
    vaultBinary: string
  }
}

const HEARTBEAT_MS = 15_000

/** Builds Vault where it is not there, and says that it lives meanwhile. */
export default async function setup(project: TestProject): Promise<void> {
  const startMs = systemClock.elapsedMs()
  const tell = () => {
    const seconds = Math.round((systemClock.elapsedMs() - startMs) / 1000)
    process.stderr.write(`vault: building, once and for minutes; ${seconds} s so far\n`)
  }
  const heartbeat = setInterval(tell, HEARTBEAT_MS)
  try {
    project.provide('vaultBinary', await vaultBinary())
  } finally {
    clearInterval(heartbeat)
  }
}
