import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadKafkajs } from '../../src/adapters/kafka/load-kafkajs.ts'
import { partFolder } from './install.ts'
import type { Part, PartContext } from './part.ts'
import { toolCommand } from './prerequisites.ts'
import { runTool } from './run-tool.ts'
import type { StackPorts } from './stack-model.ts'
import { renderTemplate } from './template.ts'

const HEAP = ['-Xms256m', '-Xmx512m', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20']
const QUIET = ['-Djava.awt.headless=true', '-XX:+PerfDisableSharedMem']

/** Kafka in KRaft mode: one process that is broker and controller. */
export const kafkaPart: Part = {
  name: 'kafka',
  portNames: ['kafka', 'kafkaController'],
  graceMs: 20_000,
  address: kafkaBroker,
  async plan({ directory, ports }) {
    const config = join(directory, 'config', 'kafka')
    const data = join(directory, 'data', 'kafka')
    mkdirSync(config, { recursive: true })
    const properties = join(config, 'server.properties')
    const logging = join(config, 'log4j2.yaml')
    writeFileSync(logging, renderTemplate('kafka-log4j2.yaml', {}))
    const classes = ['-cp', join(partFolder('kafka'), '*')]
    const java = [`-Dlog4j2.configurationFile=${logging}`, ...QUIET, ...classes]
    if (!existsSync(data)) await format(java, config, ports, data)
    writeProperties(properties, ports, data)
    return {
      command: toolCommand('java'),
      args: [...HEAP, ...java, 'kafka.Kafka', properties],
      cwd: data,
      env: {},
    }
  },
  furnish: async () => {},
  probe: describeCluster,
}

/** `host:port` of the broker. */
export function kafkaBroker(ports: StackPorts): string {
  return `127.0.0.1:${ports.kafka}`
}

// Formatted beside its place and renamed: a start that was interrupted here leaves no half-made
// folder, and a formatter that outlives it shares no file with the next one.
async function format(
  java: readonly string[],
  config: string,
  ports: StackPorts,
  data: string,
): Promise<void> {
  const bytes = randomBytes(16)
  // The first character must not be a dash, or the tool reads the id as an option.
  bytes[0] = (bytes[0] ?? 0) & 0x7f
  const id = bytes.toString('base64url')
  const draft = `${data}.${id}.draft`
  const properties = join(config, `format.${id}.properties`)
  writeProperties(properties, ports, draft)
  mkdirSync(draft, { recursive: true })
  const args = [...java, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', properties]
  await runTool('formatting the Kafka data folder', toolCommand('java'), args)
  rmSync(properties)
  renameSync(draft, data)
}

function writeProperties(path: string, ports: StackPorts, data: string): void {
  const values = {
    port: ports.kafka,
    controllerPort: ports.kafkaController,
    dataDirectory: data.replaceAll('\\', '\\\\'),
  }
  writeFileSync(path, renderTemplate('kafka.properties', values))
}

async function describeCluster({ ports }: PartContext): Promise<void> {
  const { Kafka, logLevel } = loadKafkajs()
  const kafka = new Kafka({
    clientId: 'sealstream-stack',
    brokers: [kafkaBroker(ports)],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    retry: { retries: 0 },
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { controller, brokers } = await admin.describeCluster()
    if (controller === null || brokers.length === 0) throw new Error('Kafka has no controller yet')
    await admin.listTopics()
  } finally {
    await admin.disconnect()
  }
}
