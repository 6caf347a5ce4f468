using System.Globalization;
using System.Xml.Linq;
using NUnit.Framework.Api;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace GlowGpu.Tests;

/// <summary>
/// Runs the tests of some categories in this process, by NUnit itself: how a bundle tests a device on a machine
/// without the .NET SDK.
/// </summary>
internal static class DeviceTestRun
{
    /// <summary>
    /// Prints failures and skips with their reasons, and counts as the last line; 0 when nothing failed and something
    /// passed, else 1.
    /// </summary>
    public static int Run(string[] categories)
    {
        if (categories.Length == 0)
        {
            Console.Error.WriteLine("tests: 'run' needs the names of categories, e.g. Cuda");
            return 2;
        }
        NUnitTestAssemblyRunner runner = new(new DefaultTestAssemblyBuilder());
        runner.Load(typeof(DeviceTestRun).Assembly, new Dictionary<string, object> { ["NumberOfTestWorkers"] = 0 });
        XElement filter = new("filter", new XElement("or", categories.Select(static c => new XElement("cat", c))));
        Listener listener = new();
        ITestResult result = runner.Run(listener, TestFilter.FromXml(filter.ToString(SaveOptions.DisableFormatting)));
        // A fixture that cannot even be set up counts no test of its own as failed.
        int failed = Math.Max(result.FailCount, result.ResultState.Status == TestStatus.Failed ? 1 : 0);
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{result.PassCount} passed, {failed} failed, {result.SkipCount + result.InconclusiveCount} skipped"));
        return failed == 0 && result.PassCount > 0 ? 0 : 1;
    }

    /// <summary>Prints what did not pass when it is known.</summary>
    private sealed class Listener : ITestListener
    {
        public void TestStarted(ITest test)
        {
        }

        public void TestFinished(ITestResult result)
        {
            if (result.Test.IsSuite && result.ResultState.Site != FailureSite.SetUp
                && result.ResultState.Site != FailureSite.TearDown) return;
            string? word = result.ResultState.Status switch
            {
                TestStatus.Failed => "failed",
                TestStatus.Skipped => "skipped",
                _ => null,
            };
            if (word is not null) Console.Out.WriteLine(
                $"{word}: {result.FullName}\n{result.Message}\n{result.StackTrace}".TrimEnd());
        }

        public void TestOutput(TestOutput output)
        {
        }

        public void SendMessage(TestMessage message)
        {
        }
    }
}
