using System.Net;
using System.Net.Sockets;
using System.Text;

namespace GlowGpu.Tests.Model.Data;

/// <summary>A web server on this machine that serves a few bodies, and some of them badly.</summary>
internal sealed class FileServer : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly Thread thread;
    private readonly List<TcpClient> held = [];

    public FileServer()
    {
        listener.Start();
        thread = new Thread(Serve) { IsBackground = true };
        thread.Start();
    }

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/data/");

    /// <summary>Bodies by name; others are not found.</summary>
    public Dictionary<string, byte[]> Bodies { get; } = [];

    /// <summary>Send only so many bytes of a body, then close.</summary>
    public int? BreakOffAfter { get; set; }

    /// <summary>Send half of a body and then nothing, without closing.</summary>
    public bool Stall { get; set; }

    /// <summary>Do not say how long a body is.</summary>
    public bool HideLength { get; set; }

    public int Requests { get; private set; }

    public void Dispose()
    {
        listener.Stop();
        thread.Join();
        foreach (TcpClient client in held) client.Dispose();
    }

    private void Serve()
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = listener.AcceptTcpClient();
            }
            catch (SocketException)
            {
                return;
            }
            if (Stall) held.Add(client);
            else
            {
                using (client) Answer(client.GetStream());
                continue;
            }
            Answer(client.GetStream());
        }
    }

    private void Answer(NetworkStream stream)
    {
        string request = "";
        while (!request.Contains("\r\n\r\n", StringComparison.Ordinal))
        {
            int read = stream.ReadByte();
            if (read < 0) return;
            request += (char)read;
        }
        Requests++;
        string name = request.Split(' ')[1].Split('/')[^1];
        bool found = Bodies.TryGetValue(name, out byte[]? body);
        body ??= "nothing here"u8.ToArray();
        string length = HideLength ? "" : $"Content-Length: {body.Length}\r\n";
        stream.Write(Encoding.ASCII.GetBytes(
            $"HTTP/1.1 {(found ? "200 OK" : "404 Not Found")}\r\n{length}Connection: close\r\n\r\n"));
        stream.Write(body.AsSpan(0, Math.Min(body.Length, Stall ? body.Length / 2 : BreakOffAfter ?? body.Length)));
        stream.Flush();
    }
}
