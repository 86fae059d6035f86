const COMPILER = '-XX:TieredStopAtLevel=1'

/**
 * Has the Java services that are started from now on compile with the first compiler alone. Services
 * that live for a minute spend more on optimising themselves than it gives back: without the second
 * compiler Cassandra and Kafka need half the CPU a message then (docs/demo.md).
 */
export function expectShortLives(): void {
  process.env.JDK_JAVA_OPTIONS = `${process.env.JDK_JAVA_OPTIONS ?? ''} ${COMPILER}`.trim()
}
