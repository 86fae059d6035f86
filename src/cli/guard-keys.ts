import { type GuardReport, guardMemory } from '../compose/memory-guard.ts'
import type { Environment } from '../config/environment.ts'
import type { Config } from '../config/schema.ts'

/** For every command that will hold data keys, before it has any: see {@link guardMemory}. */
export function guardKeys(config: Config, env: Environment): Promise<GuardReport> {
  return guardMemory(config.process, { execArgv: process.execArgv, nodeOptions: env.NODE_OPTIONS })
}
