ScottPlot.Plot plot = new();
var s = plot.Add.Scatter(new double[] { 4, 8, 16 }, new double[] { 1, 2, 4 });
s.LegendText = "stored";
plot.XLabel("K"); plot.Title("peak memory"); plot.ShowLegend();
plot.SavePng("/tmp/bp/p.png", 800, 500);
return 0;
