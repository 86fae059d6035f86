import { inspect } from 'node:util'
import { Command } from 'commander'
import { Interrupted } from '../examples/demo/demo-error.ts'
import { registerTables } from './cli/service-commands.ts'
import { registerLatency } from './latency/latency-command.ts'
import { registerPeers } from './peers/peers-command.ts'
import { registerCompare } from './results/compare-command.ts'
import { registerRoad } from './road/road-command.ts'
import { registerScaling } from './scaling/scaling-command.ts'
import { registerSizing } from './sizing/sizing-command.ts'
import { registerStages } from './stages/stages-command.ts'
import { registerReport, registerSuite } from './suite/suite-command.ts'

async function main(): Promise<void> {
  const program = new Command('npm run bench --')
    .description(
      'Benchmarks of sealstream; without a name, the quick suite. Method: bench/README.md',
    )
    .showHelpAfterError()
  registerSuite(program)
  registerRoad(program)
  registerScaling(program)
  registerLatency(program)
  registerSizing(program)
  registerStages(program)
  registerPeers(program)
  registerTables(program)
  registerCompare(program)
  registerReport(program)
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof Interrupted) process.exit(error.exitCode)
    process.stderr.write(`${inspect(error)}\n`)
    // What failed may have left timers and threads; services and folders are gone by now.
    process.exit(1)
  }
}

await main()
