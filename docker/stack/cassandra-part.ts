import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Client } from 'cassandra-driver'
import { partFolder } from './install.ts'
import type { Part, PartContext } from './part.ts'
import { toolCommand } from './prerequisites.ts'
import type { StackPorts } from './stack-model.ts'
import { renderTemplate } from './template.ts'

/** The data centre name that Cassandra's SimpleSnitch gives to every node. */
export const CASSANDRA_DATACENTER = 'datacenter1'

// One node has nobody to wait for: without these it would listen for gossip for half a minute.
const ALONE = [
  '-Dcassandra.ring_delay_ms=100',
  '-Dcassandra.skip_wait_for_gossip_to_settle=0',
  '-Dcassandra.superuser_setup_delay_ms=0',
]

/**
 * Threads of Cassandra that are out of work look for more every 10 us, which took half a core here
 * while there was little to do. With this slack they sleep up to 1 ms longer; a request waits about half of that.
 */
const TIMER_SLACK_NS = 1_000_000

// Each task would name its thread after its stage, by a system call.
const UNNAMED_WORKERS = '-Dcassandra.set_sep_thread_name=false'

/** Cassandra 5.0: one node. */
export const cassandraPart: Part = {
  name: 'cassandra',
  portNames: ['cassandra', 'cassandraStorage', 'cassandraJmx'],
  graceMs: 30_000,
  address: cassandraContactPoint,
  async plan({ directory, ports }) {
    const config = join(directory, 'config', 'cassandra')
    const data = join(directory, 'data', 'cassandra')
    const temporary = join(data, 'tmp')
    mkdirSync(config, { recursive: true })
    mkdirSync(temporary, { recursive: true })
    const yaml = join(config, 'cassandra.yaml')
    const logging = join(config, 'logback.xml')
    writeFileSync(logging, renderTemplate('cassandra-logback.xml', {}))
    writeFileSync(
      yaml,
      renderTemplate('cassandra.yaml', {
        port: ports.cassandra,
        storagePort: ports.cassandraStorage,
        dataDirectory: data.replace(/[\\"]/g, '\\$&'),
      }),
    )
    const options = renderTemplate('cassandra-jvm-options.txt', {}).trim().split('\n')
    return {
      command: toolCommand('java'),
      args: [
        ...options,
        ...ALONE,
        UNNAMED_WORKERS,
        `-Dcassandra.config=${pathToFileURL(yaml).href}`,
        `-Dlogback.configurationFile=${logging}`,
        `-Dcassandra.storagedir=${data}`,
        `-Djava.io.tmpdir=${temporary}`,
        '-Dcassandra-foreground=yes',
        `-Dcassandra.jmx.local.port=${ports.cassandraJmx}`,
        '-cp',
        `${config}:${join(partFolder('cassandra'), '*')}`,
        'org.apache.cassandra.service.CassandraDaemon',
      ],
      cwd: data,
      env: {},
      timerSlackNs: TIMER_SLACK_NS,
    }
  },
  furnish: async () => {},
  probe: querySystemLocal,
}

/** `host:port` of the node. */
export function cassandraContactPoint(ports: StackPorts): string {
  return `127.0.0.1:${ports.cassandra}`
}

async function querySystemLocal({ ports }: PartContext): Promise<void> {
  const client = new Client({
    contactPoints: [cassandraContactPoint(ports)],
    localDataCenter: CASSANDRA_DATACENTER,
    socketOptions: { connectTimeout: 2_000, readTimeout: 5_000 },
    pooling: { warmup: false },
  })
  try {
    await client.execute('SELECT release_version FROM system.local')
  } finally {
    await client.shutdown()
  }
}
