import type { Command } from 'commander'
import { append, wholeNumber } from '../cli/arguments.ts'
import { machineFacts } from '../host/machine.ts'
import type { PeerRow } from './peer-row.ts'
import { type PeersOptions, peers } from './peers.ts'

const PROCESSES = ['peer', 'kafka', 'cassandra', 's3', 'kms']

/** `npm run bench -- peers`. */
export function registerPeers(program: Command): void {
  program
    .command('peers')
    .description('Ours and others on the same services and topic, with what each does not do')
    .option(
      '--messages <n>',
      'messages in the topic; a quarter of them for slow arms',
      wholeNumber,
      200_000,
    )
    .option('--size <bytes>', 'bytes of a value', wholeNumber, 1024)
    .option('--partitions <n>', 'partitions of the topic', wholeNumber, 8)
    .option('--only <word>', 'arms whose name holds it; may be repeated', append, [])
    .option('--json', 'data on stdout')
    .addHelpText('after', '\nExample:\n  $ npm run bench -- peers --messages 500000')
    .action((flags: PeersOptions & { readonly json?: boolean }) => run(flags))
}

async function run({ json, ...options }: PeersOptions & { readonly json?: boolean }) {
  const machine = machineFacts()
  const rows = await peers(options)
  process.stdout.write(json ? `${JSON.stringify({ machine, peers: rows })}\n` : render(rows))
}

function render(rows: readonly PeerRow[]): string {
  const head = line(['CPU us a message', ...PROCESSES, 'msg/s'])
  const lines = rows.map(({ arm, figures, missing }) => {
    if (figures === null) return `${arm.padEnd(30)}not measured: ${missing}`
    const cpu = PROCESSES.map((name) => (figures.cpuMicros[name] ?? 0).toFixed(2))
    return line([arm, ...cpu, figures.perSecond.toFixed(0)])
  })
  const notes = rows.map(({ arm, does, doesNot }) => {
    return `${arm}: ${does}${doesNot === '' ? '' : `; not: ${doesNot}`}`
  })
  return `${[head, ...lines, '', ...notes].join('\n')}\n`
}

function line(cells: readonly string[]): string {
  return cells.map((cell, i) => (i === 0 ? cell.padEnd(30) : cell.padStart(11))).join('')
}
