import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { url } from 'node:inspector'
import { setTimeout } from 'node:timers/promises'
import koffi from 'koffi'
import { guardMemory } from '../../../../src/compose/memory-guard.ts'

/**
 * Guards itself as the first argument says, gets the signal that opens the debugger, and says on
 * stdout what it looks like then. Run in a process of its own by memory-guard.test.ts.
 */
const PR_GET_DUMPABLE = 3
const memoryDumps = process.argv[2] as 'refuse' | 'allow'
const report = await guardMemory(
  { memoryDumps },
  { execArgv: [], nodeOptions: process.env.NODE_OPTIONS },
)
if (memoryDumps === 'refuse') {
  // A signal that arrives here does not arrive at Node's own handler.
  const arrived = once(process, 'SIGUSR1')
  process.kill(process.pid, 'SIGUSR1')
  const alive = setTimeout(20_000, null, { ref: true })
  await Promise.race([arrived, alive.then(() => Promise.reject(new Error('no signal')))])
} else {
  process.kill(process.pid, 'SIGUSR1')
  for (let i = 0; i < 1_000 && url() === undefined; i++) await setTimeout(20)
}
const prctl = koffi.load(null).func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)')
const core = /^Max core file size +(\S+) +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
const seen = {
  ...{ report, isDebugged: url() !== undefined },
  dumpable: prctl(PR_GET_DUMPABLE, 0, 0, 0, 0),
  coreLimits: core?.slice(1),
}
process.stdout.write(JSON.stringify(seen), () => process.exit(0))
