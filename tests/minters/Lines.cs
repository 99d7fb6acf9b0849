using System;
using System.Linq;

/// Mints a link of each line of its input, `KIND OBJECT name=value …`, as the minters in scripts do.
static class Lines
{
    static int Main(string[] args)
    {
        int at = 0;
        try
        {
            var mint = new Mint(args[0], args[1], args[2]);
            for (string line; (line = Console.ReadLine()) != null;)
            {
                at++;
                var words = line.Split(' ');
                var more = words.Skip(2).Select(word => word.Split(new[] { '=' }, 2)).ToDictionary(f => f[0], f => f[1]);
                Console.WriteLine(mint.Link(words[0], long.Parse(words[1]), more));
            }
            return 0;
        }
        catch (ArgumentException error)
        {
            Console.Error.WriteLine((at > 0 ? $"line {at}: " : "") + error.Message);
            return 1;
        }
    }
}
