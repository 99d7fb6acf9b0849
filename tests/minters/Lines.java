import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Scanner;

/** Mints a link of each line of its input, `KIND OBJECT name=value …`, as the minters in scripts do. */
public final class Lines {
    public static void main(String[] args) throws java.io.IOException {
        int at = 0;
        try {
            Mint mint = Mint.load(Path.of(args[0]), args[1], args[2]);
            for (Scanner input = new Scanner(System.in); input.hasNextLine();) {
                String[] words = input.nextLine().split(" ");
                Map<String, String> more = new HashMap<>();
                at++;
                for (int i = 2; i < words.length; i++)
                    more.put(words[i].split("=", 2)[0], words[i].split("=", 2)[1]);
                System.out.println(mint.link(words[0], Long.parseLong(words[1]), more));
            }
        } catch (IllegalArgumentException error) {
            System.err.println((at > 0 ? "line " + at + ": " : "") + error.getMessage());
            System.exit(1);
        }
    }
}
