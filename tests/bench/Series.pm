# SPDX-License-Identifier: MIT
# Which plots a set of results makes: latency distributions, IOPS over depth, bandwidth over block size.
# plots() takes [run, rows] pairs as Analysis gives them, and returns FILE NAME => SVG.
package Series;
use strict;
use warnings;
use List::Util qw(max min);
use Exporter 'import';
use Plot qw(plot nice_ticks);
our @EXPORT_OK = qw(plots);

my %other = map { $_ => 1 } qw(null_blk loop-direct loop-buffered loop-tmpfs bare brd nbd);
my %target_text = (null => 'null', file => 'file on ext4 on a RAM disk', mem => 'memory');
my %pattern_text = (randread => 'random reads', randwrite => 'random writes', mixed => 'random reads and writes',
	read => 'sequential reads', write => 'sequential writes');

sub number { # for an axis
	my ($v) = @_;
	return $v >= 1e6 ? ($v / 1e6) . 'M' : $v >= 1e3 ? ($v / 1e3) . 'k' : "$v";
}

sub size_text {
	my ($bytes) = @_;
	return $bytes >= 1048576 ? $bytes / 1048576 . ' MiB' : $bytes >= 1024 ? $bytes / 1024 . ' KiB' : "$bytes B";
}

sub where {
	my ($run) = @_;
	my $kind = $run->{machine} eq 'qemu' ? ', in QEMU' : $run->{machine} eq 'uml' ? ', User Mode Linux' : '';
	my $warning = $run->{machine} eq 'native' ? '' : ': compare lines, absolute numbers mean nothing';
	return "Linux $run->{kernel}$kind$warning";
}

sub load_text { # depth, jobs and queues, but for what the plot varies
	my ($w, $but) = @_;
	my @parts;
	push @parts, size_text($w->{block}) unless $but eq 'block';
	push @parts, $pattern_text{ $w->{pattern} };
	my $text = join ' ', @parts;
	$text .= ", depth $w->{depth}" unless $but eq 'depth';
	$text .= ", $w->{jobs} jobs" if $w->{jobs} > 1;
	$text .= ", $w->{queues} queues" if $w->{queues} > 1;
	return "$target_text{ $w->{target} }: $text";
}

sub measured { return grep { !$_->{skipped} } @{ $_[0] } }

sub log_ticks { # powers of ten, and 2 and 5 between them where the range is short
	my ($low, $high) = @_;
	my ($first, $last) = (int(log($low) / log(10) - ($low < 1)), int(log($high) / log(10)) + 1);
	my @all = map { my $e = $_; map { $_ * 10**$e } 1, 2, 5 } $first .. $last;
	my @used = grep { $_ > $low / 2.5 && $_ < $high * 2.5 } @all;
	shift @used while @used > 1 && $used[1] <= $low;
	pop @used while @used > 1 && $used[-2] >= $high;
	return map { [ $_, number($_) ] } @used;
}

# Percentiles from left to right, each nine as wide as the one before.
sub latency_plot {
	my ($run, $rows) = @_;
	my @series = map {
		my $p = $_->{percentiles};
		my @points = map { [ 1 / (1 - $_ / 100), $p->{$_} ] }
			sort { $a <=> $b } grep { $_ <= 99.9 && $p->{$_} } keys %$p;
		{ name => $_->{name}, ours => !$other{ $_->{name} }, points => \@points }
	} grep { %{ $_->{percentiles} || {} } } measured($rows);
	@series = grep { @{ $_->{points} } > 1 } @series;
	return unless @series;
	my @y = map { map { $_->[1] } @{ $_->{points} } } @series;
	return plot(
		title => 'Latency, ' . load_text($run->{workload}, ''), subtitle => where($run),
		x => { kind => 'log', label => 'percentile of requests',
			ticks => [ [ 1, '0' ], [ 2, '50' ], [ 4, '75' ], [ 10, '90' ], [ 100, '99' ], [ 1000, '99.9' ] ] },
		y => { kind => 'log', label => 'latency, microseconds', ticks => [ log_ticks(min(@y), max(@y)) ] },
		series => \@series
	);
}

# One line per candidate over what varies between the results.
sub lines {
	my ($group, $key, $value) = @_;
	my (%points, @order);
	for my $r (sort { $a->[0]{workload}{$key} <=> $b->[0]{workload}{$key} } @$group) {
		for my $row (measured($r->[1])) {
			push @order, $row->{name} unless $points{ $row->{name} };
			push @{ $points{ $row->{name} } }, [ $r->[0]{workload}{$key}, $value->($row) ];
		}
	}
	return map { { name => $_, ours => !$other{$_}, points => $points{$_} } } @order;
}

sub sweep_plot {
	my ($group, $key) = @_;
	my $depth = $key eq 'depth';
	my @series = lines($group, $key, $depth ? sub { $_[0]{iops} } : sub { $_[0]{bandwidth} / 1e6 });
	my $run = $group->[0][0];
	my %x = map { $_->[0]{workload}{$key} => 1 } @$group;
	my @ticks = map { [ $_, $depth ? $_ : size_text($_) ] } sort { $a <=> $b } keys %x;
	my $top = max(map { map { $_->[1] } @{ $_->{points} } } @series);
	return plot(
		title => ($depth ? 'IOPS over depth, ' : 'Bandwidth over block size, ') . load_text($run->{workload}, $key),
		subtitle => where($run), dots => 1,
		x => { kind => 'log', label => $depth ? 'requests in flight' : 'block size', ticks => \@ticks },
		y => { kind => 'linear', label => $depth ? 'IOPS' : 'MB/s', ticks => [ map { [ $_, number($_) ] } nice_ticks($top) ] },
		series => \@series
	);
}

sub group_by {
	my ($results, @keys) = @_;
	my %groups;
	for my $r (@$results) {
		my $w = $r->[0]{workload};
		push @{ $groups{ join '-', $r->[0]{label}, map { $w->{$_} } @keys } }, $r;
	}
	return %groups;
}

sub distinct {
	my ($group, $key) = @_;
	my %v = map { $_->[0]{workload}{$key} => 1 } @$group;
	return scalar keys %v;
}

sub plots {
	my ($results) = @_;
	my %out;
	for my $r (@$results) {
		my ($run, $rows) = @$r;
		my $w = $run->{workload};
		# Of a large set, only what a reader looks for first.
		next if @$results > 8
			&& !($w->{block} == 4096 && $w->{pattern} eq 'randread' && $w->{jobs} == 1
			&& ($w->{depth} == 1 || $w->{depth} == 32));
		my $svg = latency_plot($run, $rows);
		$out{"latency-$w->{name}-$run->{label}.svg"} = $svg if $svg;
	}
	my %sweep = (depth => [qw(target block_name pattern jobs queues)], block => [qw(target pattern depth jobs queues)]);
	for my $key (sort keys %sweep) {
		my %groups = group_by($results, @{ $sweep{$key} });
		for my $g (values %groups) {
			next if distinct($g, $key) < 3;
			my ($run, $w) = ($g->[0][0], $g->[0][0]{workload});
			my $more = ($w->{jobs} > 1 ? "-j$w->{jobs}" : '') . ($w->{queues} > 1 ? "-q$w->{queues}" : '');
			my $name = $key eq 'depth' ? "depth-$w->{target}-$w->{block_name}-$w->{pattern}" : "size-$w->{target}-$w->{pattern}-d$w->{depth}";
			$out{"$name$more-$run->{label}.svg"} = sweep_plot($g, $key);
		}
	}
	return %out;
}

1;
