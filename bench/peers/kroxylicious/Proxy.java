import io.kroxylicious.kms.provider.kroxylicious.inmemory.IntegrationTestingKmsService;
import io.kroxylicious.proxy.KafkaProxy;
import io.kroxylicious.proxy.config.ConfigParser;
import io.kroxylicious.proxy.internal.config.Features;
import java.io.FileInputStream;

/** Starts the proxy with a configuration, a KMS in memory and one key in it. Prints a line when it listens. */
public class Proxy {
    public static void main(String[] args) throws Exception {
        var service = IntegrationTestingKmsService.newInstance();
        service.initialize(new IntegrationTestingKmsService.Config("bench"));
        var kms = service.buildKms();
        kms.createAlias(kms.generateKey(), "bench");
        var parser = new ConfigParser();
        var config = parser.parseConfiguration(new FileInputStream(args[0]));
        try (var proxy = new KafkaProxy(parser, config, Features.defaultFeatures())) {
            proxy.startup();
            System.out.println("ready");
            proxy.block();
        }
    }
}
